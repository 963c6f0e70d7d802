"""The on-call page: what Sereno saw, did and will undo, and the buttons for it. One page, three kinds of world."""
