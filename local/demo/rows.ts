/** How many rows each table gets; the countries and the hard values always have the same few. */
export interface ShopSize {
  customers: number;
  products: number;
  orders: number;
  orderItems: number;
  events: number;
  payments: number;
  stock: number;
  signups: number;
}

/** A repeatable dice: 0 … sides-1 from a row's number; another `salt` is another throw. */
const dice = (n: string, sides: number | string, salt: number) =>
  `((hashint8extended(${n}, ${salt}) & 2147483647) % ${sides})`;

/** One word of a list, thrown by row number. */
const pick = (n: string, words: string[], salt: number) =>
  `(ARRAY[${words.map((word) => `'${word.replaceAll("'", "''")}'`).join(',')}])[1 + ${dice(n, words.length, salt)}]`;

const skuOf = (n: string) => `'SKU-' || lpad((${n})::text, 6, '0')`;

const FIRST_NAMES =
  'Zoë,Björn,Ana María,Łukasz,Nguyễn,Олена,Μαρία,محمد,陽子,दिव्या,Siobhán,Noah,Amélie,İbrahim,Kwame,אסתר'.split(',');
const LAST_NAMES =
  "O'Neill,Müller,García,Wiśniewski,Thị Hoa,Шевченко,Παπαδοπούλου,السيد,佐藤,शर्मा,Ní Bhriain,Smith,D'Angelo,Yılmaz,Mensah,לוי".split(
    ',',
  );
const STREETS = 'Rue de l’Église,Hauptstraße,Gran Vía,Main Street,Плошча Перамогі,大通り,Åsgatan,Via Roma'.split(',');
const THINGS = 'Kettle,Lamp,Backpack,Keyboard,Mug,Blanket,Bicycle bell,Notebook,Headphones,Chair'.split(',');
const COLOURS = 'red,forest green,navy,black,white,rosé,"off" white,crème'.split(',');
const EVENT_KINDS = 'page_view,search,add_to_cart,checkout,login,logout'.split(',');
const METHODS = 'card,card,card,paypal,sepa,klarna,invoice'.split(',');
const STATUSES = 'delivered,delivered,delivered,delivered,shipped,paid,cancelled,returned'.split(',');

export const fillCountries = `
INSERT INTO countries VALUES
  ('AT','Österreich','EUR',20), ('AU','Australia','AUD',10), ('BE','België / Belgique','EUR',21), ('BR','Brasil','BRL',NULL),
  ('CA','Canada','CAD',5), ('CH','Schweiz / Suisse','CHF',8.1), ('CI','Côte d''Ivoire','XOF',18), ('CN','中国','CNY',13),
  ('CZ','Česko','CZK',21), ('DE','Deutschland','EUR',19), ('DK','Danmark','DKK',25), ('EG','مصر','EGP',14),
  ('ES','España','EUR',21), ('FI','Suomi','EUR',25.5), ('FR','France','EUR',20), ('GB','United Kingdom','GBP',20),
  ('GR','Ελλάδα','EUR',24), ('IE','Éire','EUR',23), ('IL','ישראל','ILS',18), ('IN','भारत','INR',18),
  ('IT','Italia','EUR',22), ('JP','日本','JPY',10), ('KE','Kenya','KES',16), ('MX','México','MXN',16),
  ('NL','Nederland','EUR',21), ('NO','Norge','NOK',25), ('NZ','Aotearoa','NZD',15), ('PL','Polska','PLN',23),
  ('PT','Portugal','EUR',23), ('SE','Sverige','SEK',25), ('TR','Türkiye','TRY',20), ('UA','Україна','UAH',20),
  ('US','United States','USD',NULL), ('VN','Việt Nam','VND',10), ('ZA','South Africa','ZAR',15)`;

/**
 * One INSERT a table. Rows are numbered oldest first, spread over the two years before `now` (ISO 8601); no row is
 * younger than an hour.
 */
export function fillTables(size: ShopSize, now: string): string[] {
  const latest = `(timestamptz '${now}' - interval '1 hour')`;
  const twoYears = 2 * 365 * 86_400;
  /** Moment of row n of `of`, with microseconds. */
  const moment = (n: string, of: number, salt: number) =>
    `(${latest} - ((${of} - ${n}) * ${Math.floor((twoYears * 1e6) / of)} + ${dice(n, 1_000_000, salt)}) * interval '1 microsecond')`;
  const later = (column: string, n: string, salt: number) =>
    `least(${column} + ${dice(n, 9 * 86_400, salt)} * interval '1 second', greatest(${column}, ${latest} - ${dice(n, 3_600_000, salt + 1)} * interval '1 millisecond'))`;
  const firstWithItems = size.orders - Math.ceil(size.orderItems / 2);
  return [
    `INSERT INTO customers (id, email, full_name, country_code, tier, tags, preferences, phone, birthday, created_at, updated_at)
SELECT n, 'customer' || n || '@example.' || ${pick('n', ['com', 'org', 'net'], 1)},
  ${pick('n', FIRST_NAMES, 2)} || ' ' || ${pick('n', LAST_NAMES, 3)},
  (ARRAY['AT','AU','BE','BR','CA','CH','CI','CN','DE','DK','ES','FR','GB','GR','IN','IT','JP','PL','UA','US'])[1 + ${dice('n', 20, 4)}],
  (ARRAY['guest','member','member','gold'])[1 + ${dice('n', 4, 5)}]::customer_tier,
  CASE ${dice('n', 4, 6)} WHEN 0 THEN '{}' WHEN 1 THEN '{"b2b","invoice, 30 days"}' WHEN 2 THEN ARRAY['Grüße', NULL, 'a"b'] ELSE '{vip}' END::text[],
  CASE WHEN ${dice('n', 5, 7)} > 0 THEN jsonb_build_object('lang', ${pick('n', ['de', 'en', 'fr', 'ja'], 8)}, 'score', ${dice('n', 1000, 9)} / 8.0, 'opt_in', ${dice('n', 2, 10)} = 0) END,
  CASE WHEN ${dice('n', 3, 11)} > 0 THEN '+49 ' || ${dice('n', 1_000_000_000, 12)} END,
  CASE WHEN ${dice('n', 4, 13)} > 0 THEN date '1940-01-01' + ${dice('n', 24_000, 14)}::int END,
  at, ${later('at', 'n', 15)}
FROM generate_series(1, ${size.customers}::bigint) n, LATERAL (SELECT ${moment('n', size.customers, 16)} AS at) t`,
    `INSERT INTO products
SELECT ${skuOf('n')}, initcap(${pick('n', COLOURS, 20)}) || ' ' || ${pick('n', THINGS, 21)} || ' №' || n,
  CASE ${dice('n', 4, 22)} WHEN 0 THEN NULL WHEN 1 THEN '' ELSE E'Two lines:\\n• "quoted", with a comma; ' || repeat('well made ', ${dice('n', 30, 23)}::int) END,
  ${dice('n', 49_900, 24)} / 100.0 + 0.99, CASE WHEN ${dice('n', 5, 25)} > 0 THEN ${dice('n', 100_000, 26)} / 7000.0 END,
  jsonb_build_object('colour', ${pick('n', COLOURS, 20)}, 'sizes', jsonb_build_array(${dice('n', 40, 27)}, ${dice('n', 40, 28)} + 0.5), 'made', jsonb_build_object('in', 'DE', 'ean', 4000000000000 + n)),
  ${dice('n', 10, 29)} > 0, ${moment('n', size.products, 30)} AT TIME ZONE 'UTC'
FROM generate_series(1, ${size.products}::bigint) n`,
    `INSERT INTO orders (id, customer_id, status, total, currency, ship_to, note, placed_at, updated_at)
SELECT n, 1 + ${dice('n', size.customers, 40)}, ${pick('n', STATUSES, 41)}::order_status, ${dice('n', 50_000, 42)} / 100.0 + 5,
  ${pick('n', ['EUR', 'EUR', 'USD', 'GBP', 'JPY'], 43)}, CASE WHEN ${dice('n', 12, 44)} > 0 THEN ${pick('n', STREETS, 45)} || ' ' || ${dice('n', 200, 46)} END,
  CASE ${dice('n', 16, 47)} WHEN 0 THEN '' WHEN 1 THEN E'Please ring twice,\\n"the bell" is broken' WHEN 2 THEN 'Happy birthday! 🎂' END,
  at, ${later('at', 'n', 48)}
FROM generate_series(1, ${size.orders}::bigint) n, LATERAL (SELECT ${moment('n', size.orders, 50)} AS at) t`,
    // Three orders with one, two and three lines make six items: so a line's order follows from its number alone.
    `INSERT INTO order_items
SELECT o, (ARRAY[1,1,2,1,2,3])[1 + n % 6], ${skuOf(`1 + ${dice('n', size.products, 60)}`)}, 1 + ${dice('n', 4, 61)},
  ${dice('n', 49_900, 62)} / 100.0 + 0.99, ${dice('n', 20, 63)} = 0, ${later('at', 'o', 48)}
FROM generate_series(0, ${size.orderItems}::bigint - 1) n,
  LATERAL (SELECT ${firstWithItems} + 3 * (n / 6) + (ARRAY[0,1,1,2,2,2])[1 + n % 6] AS o) i, LATERAL (SELECT ${moment('o', size.orders, 50)} AS at) t`,
    `INSERT INTO events (id, customer_id, kind, payload, happened_at)
SELECT n, CASE WHEN ${dice('n', 3, 70)} > 0 THEN 1 + ${dice('n', size.customers, 71)} END, ${pick('n', EVENT_KINDS, 72)},
  ('{"path": "/p/' || ${dice('n', size.products, 73)} || '", "ms": ' || ${dice('n', 90_000, 74)} / 100.0 || ', "utm": null, "agent": {"mobile": ' || (${dice('n', 2, 75)} = 0) || '}}')::json,
  ${moment('n', size.events, 76)}
FROM generate_series(1, ${size.events}::bigint) n`,
    `INSERT INTO payments (id, paid_on, order_id, method, amount, reference, updated_at)
SELECT n, at::date, o, ${pick('n', METHODS, 80)}, ${dice('o', 50_000, 42)} / 100.0 + 5, md5('payment ' || n)::uuid, at + interval '1 minute'
FROM generate_series(1, ${size.payments}::bigint) n, LATERAL (SELECT ${size.orders - size.payments} + n AS o) i, LATERAL (SELECT ${moment('o', size.orders, 50)} AS at) t`,
    `INSERT INTO stock
SELECT ${skuOf('1 + n / 2')}, 1 + n % 2, ${dice('n', 500, 90)}, ${dice('n', 20, 91)}, CASE WHEN ${dice('n', 6, 92)} > 0 THEN ${moment('n', size.stock, 93)} END
FROM generate_series(0, ${size.stock}::bigint - 1) n`,
    // Somebody who signs up twice in a day is two equal rows: this table has no key, as such tables have none.
    `INSERT INTO newsletter_signups
SELECT CASE WHEN ${dice('n', 50, 100)} > 0 THEN 'reader' || n / 2 || '@example.com' END, ${pick('n', ['footer', 'checkout', 'fair'], 101)},
  (ARRAY[true, false, NULL])[1 + n % 3], ${latest}::date - (n / 2 % 700)::int
FROM generate_series(1, ${size.signups}::bigint) n`,
  ];
}
