"""Archives behind one interface: what they hold, and how members get out of them safely.

Here: zip (remote by byte ranges, or local) and tar. Not here: how bytes travel (`transport`), and where they are
published (`publishing`). Begin with `archive.py`.
"""
