"""What programs do with SQLAlchemy: it reads the tables' definitions out of the catalogue, and inserts many rows with what the server made of them."""
import sqlalchemy as sa

e = sa.create_engine("postgresql+psycopg2://")
with e.begin() as c:
    c.execute(sa.text("CREATE TABLE parent (id serial PRIMARY KEY, name text NOT NULL, api_key text UNIQUE)"))
    c.execute(sa.text("CREATE TABLE child (id serial PRIMARY KEY, parent_id int REFERENCES parent (id) ON DELETE CASCADE, tags text[], CHECK (id > 0))"))
    c.execute(sa.text("CREATE INDEX child_parent ON child (parent_id)"))
i = sa.inspect(e)
print("simple", *[k["name"] for k in i.get_columns("parent")])
print("prepared", i.get_pk_constraint("parent")["constrained_columns"][0], i.get_foreign_keys("child")[0]["referred_table"], i.get_indexes("child")[0]["name"],
      i.get_unique_constraints("parent")[0]["column_names"][0], len(i.get_check_constraints("child")))
m = sa.MetaData()
m.reflect(e, only=["parent", "child", "users"])
parent, child, users = m.tables["parent"], m.tables["child"], m.tables["users"]
with e.begin() as c:
    at = c.execute(parent.insert().returning(parent.c.id), [{"name": "a", "api_key": "CANARYpgalchemy7xQ2"}]).scalar()
    c.execute(child.insert(), [{"parent_id": at, "tags": ["x", "y"]} for _ in range(500)])
    print("copied in", c.execute(sa.select(sa.func.count()).select_from(child.join(parent)).where(parent.c.name == "a")).scalar())
    k = sa.select(child.c.parent_id, sa.func.count().label("n")).group_by(child.c.parent_id).subquery()
    n = c.execute(sa.select(k.c.n).join(parent, parent.c.id == k.c.parent_id)).scalar()
    row = c.execute(sa.select(users.c.password, users.c.name).where(users.c.id == 1)).one()
    print("masked", "[masked:" in row.password, row.name, n)
try:
    with e.begin() as c:
        c.execute(sa.text("SELECT pg_read_file('x')"))
except sa.exc.DBAPIError as err:
    print("refused", err.orig.pgcode)
