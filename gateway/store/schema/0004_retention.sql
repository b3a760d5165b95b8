-- `first`: a gap record stands for the numbers from here to its own; NULL in every other row.
ALTER TABLE outbox ADD COLUMN first INTEGER;

-- With a rowid, which is the order of the last change: the oldest that ended can be let go.
CREATE TABLE alarm_kept (
  id TEXT PRIMARY KEY,
  state TEXT NOT NULL,
  body BLOB NOT NULL
);
INSERT INTO alarm_kept SELECT id, state, body FROM alarm ORDER BY id;
DROP TABLE alarm;
ALTER TABLE alarm_kept RENAME TO alarm;

CREATE TABLE inbox_kept (
  id TEXT PRIMARY KEY,
  body BLOB NOT NULL,
  done INTEGER NOT NULL DEFAULT 0,
  result BLOB
);
INSERT INTO inbox_kept SELECT id, body, done, result FROM inbox ORDER BY id;
DROP TABLE inbox;
ALTER TABLE inbox_kept RENAME TO inbox;

-- What is known of the clock in each boot, in their order.
CREATE TABLE boot (
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  began_wall_s REAL,
  lasted_s REAL NOT NULL
);
