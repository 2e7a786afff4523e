#!/usr/bin/python3
"""Talks to a program on a pseudo terminal and prints the conversation.

usage: talk.py PROGRAM ARGUMENT... <LINES

Each line of standard input is typed when the program has shown its prompt ("% ") again. "^C" and the like
are typed as that key without a line end. "~N" waits N seconds, and "=TEXT" until TEXT has appeared; the line
after them is typed at once. Process numbers are replaced.
"""

import os
import pty
import re
import select
import sys
import time

PROMPT = b"% "
transcript = b""
seen = 0


def read_until(what, limit=20.0):
    """Reads until `what` has come that was not seen before."""
    global transcript, seen
    deadline = time.monotonic() + limit
    while True:
        at = transcript.find(what, seen) if what else -1
        if at >= 0:
            seen = at + len(what)
            return True
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        if select.select([terminal], [], [], left)[0]:
            try:
                data = os.read(terminal, 4096)
            except OSError:
                return False
            if not data:
                return False
            transcript += data.replace(b"\r\n", b"\n")


lines = sys.stdin.read().splitlines()
pid, terminal = pty.fork()
if pid == 0:
    os.environ.update(TERM="dumb", PS1="% ", PS2="> ", HISTFILE="")
    os.execvp(sys.argv[1], sys.argv[1:])
waits = True
for line in lines:
    if line.startswith("~"):
        read_until(b"", float(line[1:]))
        seen = len(transcript)
        waits = False
        continue
    if line.startswith("="):
        if not read_until(line[1:].encode()):
            transcript += b"\n(did not appear: " + line[1:].encode() + b")\n"
        waits = False
        continue
    if waits and not read_until(PROMPT):
        # Something went wrong; the rest would say nothing.
        transcript += b"\n(no prompt)\n"
        break
    if re.fullmatch(r"\^[A-Z\\]", line):
        os.write(terminal, bytes([ord(line[1]) & 31]))
    else:
        os.write(terminal, line.encode() + b"\n")
    waits = True
read_until(b"", 10.0) if lines and lines[-1].startswith(("exit", "^D")) else None
os.close(terminal)
_, status = os.waitpid(pid, 0)
text = transcript.decode("utf-8", "backslashreplace")
text = re.sub(r"(?m)^(\[\d+\][+-]?) \d+$", r"\1 PID", text)
text = re.sub(r"(?m)^(\[\d+\][+-]?) +\d+ ", r"\1 PID ", text)
print(text)
print("status", os.waitstatus_to_exitcode(status))
