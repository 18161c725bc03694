// How the fields are read from rows: the same for both servers, but for what loads in batches.
import { globalId, money } from './store.mjs'

const iso = (instant) => instant && (instant.toISOString ? instant.toISOString() : instant)
const ACTIVE = new Set(['IN_PROGRESS', 'IN_REVISION'])

const request = {
  id: (row) => globalId('ResolutionRequest', row.id),
  requestedByRole: (row) => row.requested_by_role,
  createdAt: (row) => iso(row.created_at),
  respondBy: (row) => iso(row.respond_by),
  onDeadline: (row) => row.on_deadline,
}

export const fields = {
  Order: {
    id: (row) => globalId('Order', row.id),
    price: (row) => money(row.price_minor, row.currency),
    refunded: (row) => money(row.refunded_minor, row.currency),
    createdAt: (row) => iso(row.created_at),
    deliveryDueAt: (row) => iso(row.delivery_due_at),
    deliveredAt: (row) => iso(row.delivered_at),
    autoCompletesAt: (row) => iso(row.auto_completes_at),
    completedAt: (row) => iso(row.completed_at),
    cancelledAt: (row) => iso(row.cancelled_at),
    viewerRole: (row, _, context) => (row.client_id === context.viewer ? 'CLIENT' : 'FREELANCER'),
    isLate: (row) => ACTIVE.has(row.status) && row.delivery_due_at !== null && row.delivery_due_at < Date.now(),
    resolutionCenter: (row) => row,
  },
  User: { id: (row) => globalId('User', row.id) },
  ResolutionRequest: { resolveType: (row) => (row.kind === 'PARTIAL_REFUND' ? 'PartialRefundOffer' : 'OtherRequest') },
  PartialRefundOffer: { ...request, amount: (row) => money(row.amount_minor, row.currency) },
  OtherRequest: request,
  OrderEvent: {
    cursor: (row) => Buffer.from(`event:${row.position}`).toString('base64url'),
    occurredAt: (row) => iso(row.occurred_at),
    actorRole: (row) => row.actor_role,
    orderStatus: (row) => row.order_status,
    requestStatus: (row) => row.request_status,
  },
}
