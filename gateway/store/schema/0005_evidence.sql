-- What a bracelet measured around a fall: gateway.model.evidence.Evidence as JSON in `head`, its samples apart, deflated
-- (zlib, RFC 1950). `awaited` is 1 from the alarm until they are there, or known to be missing.
CREATE TABLE evidence (
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  alarm TEXT NOT NULL,
  awaited INTEGER NOT NULL,
  head BLOB NOT NULL,
  samples BLOB NOT NULL
);
