"""From a template to a stack on an account: what differs, what was changed by hand, and the way there.

Comparing, judging and explaining are pure. What reads or changes AWS takes its clients as an argument.
"""
