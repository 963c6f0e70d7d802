"""What the proof is made with: the emulator, what it needs otherwise than AWS, and the two stacks on it."""
