-- A commit of an event, and of the settling of the one before it, shall change one page: so a lane's `settled` lies in
-- its own row 0, beside its events, and only alarms, which may be appended again, are looked up by id.
CREATE TABLE outbox_kept (
  lane INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  id TEXT NOT NULL,
  body BLOB NOT NULL,
  first INTEGER,
  PRIMARY KEY (lane, seq)
) WITHOUT ROWID;
INSERT INTO outbox_kept SELECT lane, 0, '', x'', settled FROM lane;
INSERT INTO outbox_kept SELECT lane, seq, id, body, NULL FROM outbox ORDER BY lane, seq;
DROP TABLE outbox;
DROP TABLE lane;
ALTER TABLE outbox_kept RENAME TO outbox;
CREATE UNIQUE INDEX outbox_alarm ON outbox (id) WHERE lane = 0;

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

-- What is known of the clock in each boot, in their order: gateway.model.time.Boot.
CREATE TABLE boot (
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  lasted_s REAL NOT NULL,
  began_wall_s REAL,
  synced_from_s REAL NOT NULL DEFAULT 0,
  synced_upto_s REAL NOT NULL DEFAULT 0,
  restored_wall_s REAL
);

-- An epoch is one opening of the file: it needs no place in it.
DROP TABLE meta;

-- What neither the broker nor the city ever took, and what else would have stood behind it for ever. For people to look.
CREATE TABLE quarantine (
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  lane INTEGER NOT NULL,
  body BLOB NOT NULL
);
