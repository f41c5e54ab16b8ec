"""The operator's window: what a run's folder tells, live in a browser, and letters into its mailbox.

It is a guest: it reads journals and files, and writes into mailboxes alone. Its death, its load and its clients cost
no run anything.
"""
