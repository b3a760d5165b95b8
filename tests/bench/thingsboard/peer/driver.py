"""Drives the peer's real code in its own interpreter: its SQLite storage by JSON lines, or its whole gateway.

    python driver.py storage FOLDER    operations on stdin, an answer each on stdout (its other end: writer)
    python driver.py gateway FOLDER    the gateway itself on FOLDER/config/tb_gateway.json, logs in FOLDER/logs

The storage is opened as the gateway opens it. Two methods of its connector are wrapped to learn when a transaction has
ended: execute_many_write() begins one with the batch that its writer thread has collected, commit() ends it.
"""

import json
import logging
import mmap
import os
import sys
import time
from threading import Event

_LATE_S = 60.0  # what is not committed by then never will be


def storage_of(folder, settings):
    """Return the opened storage, and the list that gets the moment of each event's commit, in the order of put()."""
    from thingsboard_gateway.storage.sqlite.database_connector import DatabaseConnector
    from thingsboard_gateway.storage.sqlite.sqlite_event_storage import SQLiteEventStorage
    from thingsboard_gateway.tb_utility.tb_logger import TbLogger

    logging.setLoggerClass(TbLogger)
    log = logging.getLogger("storage")
    log.setLevel(logging.INFO)  # as its logs.json has it
    log.addHandler(logging.FileHandler(os.path.join(settings.pop("log_folder"), "storage.log")))
    committed, under_way = [], [0]
    execute, commit = DatabaseConnector.execute_many_write, DatabaseConnector.commit

    def execute_and_note(self, sql, batch):
        done = execute(self, sql, batch)
        under_way[0] = len(batch) if done is not None else 0
        return done

    def commit_and_note(self):
        done = commit(self)
        if done:
            committed.extend([time.monotonic()] * under_way[0])
        under_way[0] = 0
        return done

    DatabaseConnector.execute_many_write, DatabaseConnector.commit = execute_and_note, commit_and_note
    return SQLiteEventStorage({"data_file_path": folder + "/", **settings}, log, Event()), committed


def write(storage, committed, request):
    """Put events; each that is accepted gets its moment in the file `accepted`, which outlives a kill."""
    template, first, count, rate_hz = (request[key] for key in ("template", "first", "count", "rate_hz"))
    with open(request["accepted"], "r+b") as file:
        moments = memoryview(mmap.mmap(file.fileno(), 0)).cast("d")
    before, refused, put_s = len(committed), 0, []
    begun_s = time.monotonic()
    print(json.dumps({"writing": True}), flush=True)
    for place in range(count):
        if rate_hz:
            time.sleep(max(0.0, begun_s + place / rate_hz - time.monotonic()))
            put_s.append(time.monotonic())
        if storage.put(template % (first + place, first + place)):
            moments[first + place] = time.monotonic()
        else:
            refused += 1
    if not request["wait"]:
        return {"refused": refused}
    due_s = time.monotonic() + _LATE_S
    while len(committed) - before < count - refused and time.monotonic() < due_s:
        time.sleep(0.002)
    done = committed[before:]
    return {"refused": refused, "committed": len(done), "seconds": (done[-1] if done else due_s) - begun_s,
            "latencies_ms": [(end - start) * 1000 for start, end in zip(put_s, done, strict=False)]}


def serve(folder):
    storage = committed = None
    for line in sys.stdin:
        request = json.loads(line)
        op = request.pop("op")
        if op == "open":
            storage, committed = storage_of(folder, request)
            answer = {}
        elif op == "write":
            answer = write(storage, committed, request)
        elif op == "close":
            storage.stop()
            answer = {}
        else:
            answer = {"error": "no operation " + op}
        print(json.dumps(answer), flush=True)


def gateway(folder):
    os.chdir(folder)
    os.environ["TB_GW_CONFIG_DIR"] = os.path.join(folder, "config")
    from thingsboard_gateway import tb_gateway

    sys.argv = sys.argv[:1]
    tb_gateway.main()


if __name__ == "__main__":
    {"storage": serve, "gateway": gateway}[sys.argv[1]](sys.argv[2])
