"""A disk that loses what was not brought to it: a file system in memory with a volatile cache, a switch and faults.

What is written is seen at once by every reader, and durable only after fsync of that file; a created, renamed or
removed name only after fsync of its folder. A power cut leaves what a disk may leave: see `file` for the pages and
`tree` for the names. It runs as a process, `python -m hil.resources.lossydisk`; `program` starts it for a test.

operation    what it does
cut          the power goes and comes: every open file is dead (EIO), what survived is served. `seed` decides what that
             is; `names`: `ordered`, `any`, else the seed says; `off`: it comes only with `heal`
arm          the power goes in place of the `calls`-th call from now that changes something, and comes with `heal`
fail         `what` read, write or fsync: fails with `error`, `times` often or until `heal`, for names that end in
             `suffix`; `full`: no file grows beyond `limit_bytes` of them all; `readonly`: nothing can be changed
flip         `count` bytes of the file `name` become others, chosen by `seed`
stats        what was asked of the disk since its start, altogether and by name
trace        the last calls that were to change something, in their order: `write anju.db-wal`
heal         the power comes, nothing fails any more

What no model of this kind shows: a controller that lies about a flush, and wear.
"""
