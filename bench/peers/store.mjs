// The same tables as the product's, read and written as a Node author would who cares for speed.
import { randomUUID } from 'node:crypto'
import pg from 'pg'

// Minor units and positions stay below 2^53.
pg.types.setTypeParser(pg.types.builtins.INT8, Number)

export const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 })

const DIGITS = { JPY: 0, KRW: 0, BHD: 3, KWD: 3 }
const OPEN_TO_OFFERS = new Set(['IN_PROGRESS', 'DELIVERED', 'IN_REVISION'])
const REASONS = new Set(['DELIVERY_DELAYED', 'QUALITY', 'OTHER'])
const HOURS_48 = 48 * 3600 * 1000

export const globalId = (kind, id) => Buffer.from(`${kind}:${id}`).toString('base64url')

export function uuidOf(kind, id) {
  const [found, uuid] = Buffer.from(id, 'base64url').toString().split(':')
  return found === kind ? uuid : null
}

export function money(minor, currency) {
  const digits = DIGITS[currency] ?? 2
  return { amount: (minor / 10 ** digits).toFixed(digits), currencyCode: currency }
}

const users = new Map()

/** The id of a token's subject. People never change theirs, so it is kept. */
export async function userId(subject) {
  let id = users.get(subject)
  if (!id) {
    const { rows } = await pool.query({ name: 'user', text: 'SELECT id FROM users WHERE subject = $1', values: [subject] })
    id = rows[0]?.id
    users.set(subject, id)
  }
  return id
}

const COLUMNS = `id, reference, title, status, version, client_id, freelancer_id, currency, price_minor, refunded_minor,
  created_at, delivery_due_at, delivered_at, auto_completes_at, completed_at, cancelled_at`
const PAGE = `(SELECT ${COLUMNS} FROM orders WHERE client_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2)
  UNION ALL (SELECT ${COLUMNS} FROM orders WHERE freelancer_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2)
  ORDER BY created_at DESC, id DESC LIMIT $2`

/** The newest orders of somebody, one more than asked for. */
export async function ordersOf(viewer, first) {
  const { rows } = await pool.query({ name: 'orders', text: PAGE, values: [viewer, first + 1] })
  return rows
}

/** An order that the viewer may see, or null. */
export async function orderOf(viewer, id) {
  const text = `SELECT ${COLUMNS} FROM orders WHERE id = $1 AND (client_id = $2 OR freelancer_id = $2)`
  const { rows } = await pool.query({ name: 'order', text, values: [id, viewer] })
  return rows[0] ?? null
}

/** People, in the order of their ids. */
export async function usersById(ids) {
  const text = 'SELECT id, subject, name FROM users WHERE id = ANY($1)'
  const { rows } = await pool.query({ name: 'users', text, values: [[...new Set(ids)]] })
  const found = new Map(rows.map((row) => [row.id, row]))
  return ids.map((id) => found.get(id))
}

/** The pending requests of each order, in the order of the orders. */
export async function pendingByOrder(ids) {
  const text = `SELECT id, order_id, kind, status, requested_by_role, created_at, respond_by, on_deadline, currency, amount_minor
    FROM requests WHERE order_id = ANY($1) AND status = 'PENDING' AND respond_by > now() ORDER BY created_at, id`
  const { rows } = await pool.query({ name: 'pending', text, values: [ids] })
  const found = new Map(ids.map((id) => [id, []]))
  for (const row of rows) found.get(row.order_id).push(row)
  return ids.map((id) => found.get(id))
}

/** A page of orders as the connection that GraphQL shows. */
export function connection(rows, first) {
  const edges = rows.slice(0, first).map((node) => ({ node, cursor: cursor(node) }))
  const pageInfo = {
    hasNextPage: rows.length > first,
    hasPreviousPage: false,
    startCursor: edges[0]?.cursor,
    endCursor: edges.at(-1)?.cursor,
  }
  return { edges, pageInfo }
}

const cursor = (row) => Buffer.from(`${row.created_at.toISOString()}:${row.id}`).toString('base64url')

const refused = (code, message, path) => ({ request: null, userErrors: [{ code, message, path }] })

/** Offers a partial refund by the rules of the trade, in one transaction: the answer, and the event to be published. */
export async function offerPartialRefund(viewer, input) {
  const db = await pool.connect()
  try {
    await db.query('BEGIN')
    const { rows } = await db.query({
      name: 'lock',
      text: `SELECT ${COLUMNS}, placed_by_id FROM orders WHERE id = $1 FOR UPDATE`,
      values: [uuidOf('Order', input.orderId)],
    })
    const order = rows[0]
    const refusal = await whyNot(db, order, viewer, input)
    if (refusal) {
      await db.query('ROLLBACK')
      return { answer: refusal }
    }
    const { request, event } = await written(db, order, viewer, input)
    await db.query('COMMIT')
    return { answer: { request, userErrors: [] }, event }
  } catch (error) {
    await db.query('ROLLBACK').catch(() => {})
    throw error
  } finally {
    db.release()
  }
}

async function whyNot(db, order, viewer, input) {
  if (!order || (order.client_id !== viewer && order.freelancer_id !== viewer)) {
    return refused('NOT_FOUND', 'There is no such order that you may see.', ['orderId'])
  }
  if (order.freelancer_id !== viewer) return refused('FORBIDDEN', 'Only the freelancer offers a refund.', null)
  if (!OPEN_TO_OFFERS.has(order.status)) return refused('ORDER_NOT_ACTIVE', 'The order is not under way.', ['orderId'])
  const minor = minorOf(input.amount)
  if (minor === null || input.amount.currencyCode !== order.currency) {
    return refused('VALUE_INVALID', 'The amount must be in the currency of the order.', ['amount'])
  }
  if (minor <= 0 || minor > order.price_minor - order.refunded_minor) {
    return refused('AMOUNT_TOO_HIGH', 'The amount is more than may be refunded.', ['amount'])
  }
  if (!input.explanation.trim()) return refused('VALUE_REQUIRED', 'Say why.', ['explanation'])
  if (!REASONS.has(input.confidentialReason)) {
    return refused('VALUE_INVALID', 'There is no such reason.', ['confidentialReason'])
  }
  const { rows } = await db.query({
    name: 'open',
    text: `SELECT 1 FROM requests
      WHERE order_id = $1 AND kind = 'PARTIAL_REFUND' AND status IN ('PENDING', 'ACCEPTED') LIMIT 1`,
    values: [order.id],
  })
  return rows.length ? refused('REQUEST_ALREADY_PENDING', 'An offer is open already.', ['orderId']) : null
}

function minorOf({ amount, currencyCode }) {
  const digits = DIGITS[currencyCode] ?? 2
  const parts = /^(\d{1,12})(?:\.(\d+))?$/.exec(amount)
  if (!parts || (parts[2] ?? '').length > digits) return null
  return Number(parts[1] + (parts[2] ?? '').padEnd(digits, '0'))
}

async function written(db, order, viewer, input) {
  const now = new Date()
  const respondBy = new Date(now.getTime() + HOURS_48)
  const minor = minorOf(input.amount)
  const people = [order.client_id, order.freelancer_id, order.placed_by_id]
  const request = {
    id: randomUUID(),
    kind: 'PARTIAL_REFUND',
    status: 'PENDING',
    requested_by_role: 'FREELANCER',
    created_at: now,
    respond_by: respondBy,
    on_deadline: 'EXPIRE',
    currency: order.currency,
    amount_minor: minor,
  }
  await db.query({
    name: 'request',
    text: `INSERT INTO requests (id, order_id, kind, status, requested_by_id, requested_by_role, created_at, respond_by,
        on_deadline, currency, amount_minor, cap_minor, text, client_id, freelancer_id, placed_by_id)
      VALUES ($1, $2, 'PARTIAL_REFUND', 'PENDING', $3, 'FREELANCER', $4, $5, 'EXPIRE', $6, $7, $8, $9, $10, $11, $12)`,
    values: [request.id, order.id, viewer, now, respondBy, order.currency, minor, order.price_minor, input.explanation, ...people],
  })
  await db.query({
    name: 'confidence',
    text: 'INSERT INTO confidences (request_id, reason) VALUES ($1, $2)',
    values: [request.id, input.confidentialReason],
  })
  const event = await appended(db, order, viewer, 'REQUEST_OPENED', 'PENDING', request)
  return { request, event }
}

async function appended(db, order, viewer, kind, status, request) {
  const opened = status === 'PENDING'
  await db.query({
    name: 'touch',
    text: `UPDATE orders SET version = version + 1, awaits_client = $2,
      next_deadline_at = LEAST(next_deadline_at, $3) WHERE id = $1`,
    values: [order.id, opened, opened ? request.respond_by : null],
  })
  const log = await db.query({ name: 'log', text: 'UPDATE log SET position = position + 1 WHERE id = 1 RETURNING position' })
  const event = {
    position: log.rows[0].position,
    order_id: order.id,
    sequence: order.version + 1,
    kind,
    occurred_at: new Date(),
    actor_id: viewer,
    actor_role: 'FREELANCER',
    order_status: order.status,
    request_status: status,
    client_id: order.client_id,
    freelancer_id: order.freelancer_id,
  }
  await db.query({
    name: 'event',
    text: `INSERT INTO events (position, order_id, sequence, kind, occurred_at, actor_id, actor_role, order_status,
        request_id, request_status, changes, client_id, freelancer_id, placed_by_id)
      VALUES ($1, $2, $3, $4, $5, $6, 'FREELANCER', $7, $8, $9, $10, $11, $12, $13)`,
    values: [
      ...[event.position, order.id, event.sequence, kind, event.occurred_at, viewer, order.status, request.id, status],
      ...[JSON.stringify([request]), order.client_id, order.freelancer_id, order.placed_by_id],
    ],
  })
  return event
}

/** Takes an offer back: the answer, and the event to be published. */
export async function withdrawRequest(viewer, input) {
  const db = await pool.connect()
  try {
    await db.query('BEGIN')
    const found = await db.query({
      name: 'which',
      text: `SELECT id, order_id, kind, status, requested_by_id, requested_by_role, created_at, respond_by, on_deadline,
          currency, amount_minor FROM requests WHERE id = $1`,
      values: [uuidOf('ResolutionRequest', input.requestId)],
    })
    const request = found.rows[0]
    if (!request) {
      await db.query('ROLLBACK')
      return { answer: refused('NOT_FOUND', 'There is no such request that you may see.', ['requestId']) }
    }
    const { rows } = await db.query({
      name: 'lock',
      text: `SELECT ${COLUMNS}, placed_by_id FROM orders WHERE id = $1 FOR UPDATE`,
      values: [request.order_id],
    })
    const order = rows[0]
    const mine = request.requested_by_id === viewer
    const taken = mine && (await takenBack(db, request))
    if (!taken) {
      await db.query('ROLLBACK')
      const code = mine ? 'REQUEST_NOT_PENDING' : 'NOT_FOUND'
      return { answer: refused(code, 'There is no pending request of yours.', ['requestId']) }
    }
    const event = await appended(db, order, viewer, 'REQUEST_WITHDRAWN', 'WITHDRAWN', request)
    await db.query('COMMIT')
    return { answer: { request: { ...request, status: 'WITHDRAWN' }, userErrors: [] }, event }
  } catch (error) {
    await db.query('ROLLBACK').catch(() => {})
    throw error
  } finally {
    db.release()
  }
}

async function takenBack(db, request) {
  const { rowCount } = await db.query({
    name: 'withdraw',
    text: `UPDATE requests SET status = 'WITHDRAWN', settled_at = now(), settled_by_role = requested_by_role
      WHERE id = $1 AND status = 'PENDING'`,
    values: [request.id],
  })
  return rowCount === 1
}
