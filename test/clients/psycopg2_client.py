"""What programs do with psycopg2: it sends statements by the simple protocol, with the values in the text."""
import select
import sys
import threading

import psycopg2
import psycopg2.extensions
from io import StringIO

c = psycopg2.connect("")
c.autocommit = True
q = c.cursor()


def one(sql, *args):
    q.execute(sql, args or None)
    return q.fetchone()[0]


print("simple", one("SELECT note FROM plain WHERE id = 7"))
print("prepared", one("SELECT note FROM plain WHERE id = %s", 7))
q.execute("PREPARE n (int) AS SELECT note FROM plain WHERE id = $1")
print("prepared", one("EXECUTE n (%s)", 8))
print("masked", "[masked:" in one("SELECT password FROM users WHERE id = %s", 1), one("SELECT name FROM users WHERE id = 1"))
out = StringIO()
q.copy_expert("COPY plain TO STDOUT", out)
print("copied out", len(out.getvalue().splitlines()))
q.execute("CREATE TEMP TABLE loaded (id int, note text)")
q.copy_expert("COPY loaded FROM STDIN", StringIO("".join("%d\trow %d\n" % (i, i) for i in range(500))))
print("copied in", one("SELECT count(*) FROM loaded"))
q.execute("LISTEN news")
q.execute("NOTIFY news, 'hello'")
while not c.notifies:
    select.select([c], [], [], 5)
    c.poll()
print("notified", c.notifies.pop().payload)
threading.Timer(0.5, c.cancel).start()
try:
    q.execute("SELECT pg_sleep(20)")
except psycopg2.Error as e:
    print("cancelled", e.pgcode)
c.autocommit = False
try:
    q.execute("SELECT 1 / 0")
except psycopg2.Error as e:
    print("failed", e.pgcode)
c.rollback()
print("after", one("SELECT 1"))
c.commit()
try:
    q.execute("SELECT pg_read_file('x')")
except psycopg2.Error as e:
    print("refused", e.pgcode)
print("after", one("SELECT 1"))
c.rollback()
n = c.cursor("walk")
n.itersize = 100
n.execute("SELECT id FROM plain")
print("cursor", sum(1 for _ in n))
c.commit()
sys.stdout.flush()
c.close()
