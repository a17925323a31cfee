"""What programs do with asyncpg: prepared statements and binary values throughout, types looked up in the catalogue, COPY in the binary format."""
import asyncio
import io

import asyncpg


async def main():
    c = await asyncpg.connect()
    print("simple", (await c.fetch("SELECT note FROM plain WHERE id = 7"))[0]["note"])
    n = await c.prepare("SELECT note FROM plain WHERE id = $1")
    for i in (7, 8):
        print("prepared", await n.fetchval(i))
    print("masked", "[masked:" in await c.fetchval("SELECT password FROM users WHERE id = $1", 1), await c.fetchval("SELECT name FROM users WHERE id = 1"))
    out = io.BytesIO()
    await c.copy_from_table("plain", output=out)
    print("copied out", len(out.getvalue().splitlines()))
    await c.execute("CREATE TEMP TABLE loaded (id int, note text, tags varchar(8)[], at timestamptz)")  # arrays: asyncpg looks their types up
    await c.copy_records_to_table("loaded", records=[(i, "row %d" % i, ["a"], None) for i in range(400)])
    await c.executemany("INSERT INTO loaded VALUES ($1, $2, $3)", [(i, "row", ["b", None]) for i in range(100)])
    print("copied in", await c.fetchval("SELECT count(*) FROM loaded WHERE tags[1] = any($1::varchar[])", ["a", "b"]))
    heard = asyncio.Queue()
    await c.add_listener("news", lambda *what: heard.put_nowait(what[-1]))
    await c.execute("NOTIFY news, 'hello'")
    print("notified", await asyncio.wait_for(heard.get(), 5))
    try:
        await c.fetch("SELECT pg_sleep(20)", timeout=0.5)
    except asyncio.TimeoutError:
        print("cancelled", "57014")
    try:
        async with c.transaction():
            await c.fetchval("SELECT 1 / $1::int", 0)
    except asyncpg.PostgresError as e:
        print("failed", e.sqlstate)
    print("after", await c.fetchval("SELECT 1"))
    try:
        await c.execute("SELECT pg_read_file('x')")
    except asyncpg.PostgresError as e:
        print("refused", e.sqlstate)
    print("after", await c.fetchval("SELECT 1"))
    n = 0
    async with c.transaction():
        async for _ in c.cursor("SELECT id FROM plain", prefetch=100):
            n += 1
    print("cursor", n)
    await c.reset()
    await c.close()


asyncio.run(main())
