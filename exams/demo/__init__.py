"""
The demonstration: an exam that is open now, invented students with cards, one teacher.

Contract:
- Every part can be prepared again and again: what is there stays, what is missing is made.
- PINs and the teacher's password are in files that only the owner can read, below `folder()`.

Not here: the questions (`soal_demo.gift`), starting the server (`make demo`).
"""
