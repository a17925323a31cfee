// What programs do with node-postgres: the extended protocol, named statements, notifications.
const { Client } = require('pg');
const settings = { ssl: { ca: require('fs').readFileSync(process.env.PGSSLROOTCERT), servername: 'localhost' } };
(async () => {
  const c = new Client(settings);
  await c.connect();
  const one = async (text, values, name) => Object.values((await c.query({ text, values, name })).rows[0])[0];
  console.log('simple', await one('SELECT note FROM plain WHERE id = 7'));
  console.log('prepared', await one('SELECT note FROM plain WHERE id = $1', [7], 'n'));
  console.log('prepared', await one('SELECT note FROM plain WHERE id = $1', [8], 'n'));
  console.log('masked', (await one('SELECT password FROM users WHERE id = $1', [1])).includes('[masked:'), await one('SELECT name FROM users WHERE id = 1'));
  const notified = new Promise(done => c.on('notification', done));
  await c.query('LISTEN news');
  await c.query("NOTIFY news, 'hello'");
  console.log('notified', (await notified).payload);
  const other = new Client(settings);
  await other.connect();
  const slept = c.query('SELECT pg_sleep(20)').catch(e => console.log('cancelled', e.code));
  setTimeout(() => new Client(settings).cancel(c, c.activeQuery || c._getActiveQuery()), 500);
  await slept;
  await other.end();
  await c.query('BEGIN');
  await c.query('SELECT 1 / 0').catch(e => console.log('failed', e.code));
  await c.query('ROLLBACK');
  console.log('after', await one('SELECT 1'));
  await c.query("SELECT pg_read_file('x')").catch(e => console.log('refused', e.code));
  console.log('after', await one('SELECT 1'));
  await c.end();
})().catch(e => { console.error(e); process.exit(1); });
