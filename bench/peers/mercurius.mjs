// Mercurius with graphql-jit: node mercurius.mjs, with DATABASE_URL, REDIS_URL and JWT_SECRET; prints its port.
import { readFileSync } from 'node:fs'
import { createVerifier } from 'fast-jwt'
import Fastify from 'fastify'
import mercurius from 'mercurius'
import redisEmitter from 'mqemitter-redis'
import { fields } from './fields.mjs'
import {
  connection, offerPartialRefund, orderOf, ordersOf, pendingByOrder, userId, usersById, uuidOf, withdrawRequest,
} from './store.mjs'

const verify = createVerifier({ key: process.env.JWT_SECRET, algorithms: ['HS256'], cache: true })
const schema = readFileSync(new URL('schema.graphql', import.meta.url), 'utf8')

async function viewerOf(authorization) {
  const claims = verify((authorization ?? '').replace(/^Bearer /i, ''))
  return { viewer: await userId(claims.sub) }
}

/** A resolver that changes something, and tells those who watch. */
const changing = (change) => async (_, { input }, { viewer, pubsub }) => {
  const { answer, event } = await change(viewer, input)
  if (event) await pubsub.publish({ topic: `order/${event.order_id}`, payload: { orderEvents: event } })
  return answer
}

const resolvers = {
  ...fields,
  Query: {
    orders: async (_, { first = 25 }, { viewer }) => connection(await ordersOf(viewer, first), first),
    order: (_, { id }, { viewer }) => orderOf(viewer, uuidOf('Order', id)),
    viewer: async (_, __, { viewer }) => (await usersById([viewer]))[0],
  },
  Mutation: {
    offerPartialRefund: changing(offerPartialRefund),
    withdrawRequest: changing(withdrawRequest),
  },
  Subscription: {
    orderEvents: {
      subscribe: async (_, { orderId }, { viewer, pubsub }) => {
        const id = uuidOf('Order', orderId)
        if (!(await orderOf(viewer, id))) throw new Error('There is no such order that you may see.')
        return pubsub.subscribe(`order/${id}`)
      },
    },
  },
}

const people = (column) => (queries) => usersById(queries.map(({ obj }) => obj[column]))
const loaders = {
  Order: { client: people('client_id'), freelancer: people('freelancer_id') },
  ResolutionCenter: { pendingRequests: (queries) => pendingByOrder(queries.map(({ obj }) => obj.id)) },
  OrderEvent: { actor: people('actor_id') },
}

const app = Fastify()
app.get('/health/live', async () => ({ status: 'ok' }))
app.register(mercurius, {
  schema,
  resolvers,
  loaders,
  jit: 1,
  context: (request) => viewerOf(request.headers.authorization),
  subscription: {
    fullWsTransport: true,
    emitter: redisEmitter({ connectionString: process.env.REDIS_URL }),
    onConnect: ({ payload }) => viewerOf(payload.authorization),
  },
})
await app.listen({ host: '127.0.0.1', port: 0 })
console.log(app.server.address().port)
