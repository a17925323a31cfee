"""What programs do with psycopg 3: the extended protocol, prepared statements, binary results, pipelines."""
import threading

import psycopg

c = psycopg.connect("", autocommit=True, prepare_threshold=0)


def one(sql, *args, binary=False):
    return c.execute(sql, args or None, binary=binary).fetchone()[0]


print("simple", one("SELECT note FROM plain WHERE id = 7"))
print("prepared", one("SELECT note FROM plain WHERE id = %s", 7))
print("prepared", one("SELECT note FROM plain WHERE id = %s", 8, binary=True))
print("masked", "[masked:" in one("SELECT password FROM users WHERE id = %s", 1, binary=True), one("SELECT name FROM users WHERE id = 1"))
with c.cursor().copy("COPY plain TO STDOUT") as copy:
    print("copied out", sum(1 for _ in copy.rows()))
c.execute("CREATE TEMP TABLE loaded (id int, note text)")
with c.cursor().copy("COPY loaded (id, note) FROM STDIN") as copy:
    for i in range(500):
        copy.write_row((i, "row %d" % i))
print("copied in", one("SELECT count(*) FROM loaded"))
c.add_notify_handler(lambda n: print("notified", n.payload))
c.execute("LISTEN news")
c.execute("NOTIFY news, 'hello'")
threading.Timer(0.5, c.cancel).start()
try:
    c.execute("SELECT pg_sleep(20)")
except psycopg.Error as e:
    print("cancelled", e.sqlstate)
try:
    with c.transaction():
        c.execute("SELECT 1 / 0")
except psycopg.Error as e:
    print("failed", e.sqlstate)
print("after", one("SELECT 1"))
try:
    c.execute("SELECT pg_read_file('x')")
except psycopg.Error as e:
    print("refused", e.sqlstate)
with c.pipeline():
    c.execute("SELECT 2")
    last = c.execute("SELECT %s::int", (1,))
print("after", last.fetchone()[0])
with c.transaction(), c.cursor("walk") as walk:
    walk.itersize = 100
    walk.execute("SELECT id FROM plain")
    print("cursor", sum(1 for _ in walk))
c.close()
