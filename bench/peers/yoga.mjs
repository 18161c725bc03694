// GraphQL Yoga: node yoga.mjs, with DATABASE_URL, REDIS_URL and JWT_SECRET; prints its port.
import { createServer } from 'node:http'
import { readFileSync } from 'node:fs'
import { createRedisEventTarget } from '@graphql-yoga/redis-event-target'
import DataLoader from 'dataloader'
import { createVerifier } from 'fast-jwt'
import { useServer } from 'graphql-ws/use/ws'
import { createPubSub, createSchema, createYoga } from 'graphql-yoga'
import { Redis } from 'ioredis'
import { WebSocketServer } from 'ws'
import { fields } from './fields.mjs'
import {
  connection, offerPartialRefund, orderOf, ordersOf, pendingByOrder, userId, usersById, uuidOf, withdrawRequest,
} from './store.mjs'

const verify = createVerifier({ key: process.env.JWT_SECRET, algorithms: ['HS256'], cache: true })
const pubsub = createPubSub({
  eventTarget: createRedisEventTarget({
    publishClient: new Redis(process.env.REDIS_URL),
    subscribeClient: new Redis(process.env.REDIS_URL),
  }),
})

async function contextOf(authorization) {
  const claims = verify((authorization ?? '').replace(/^Bearer /i, ''))
  return {
    viewer: await userId(claims.sub),
    users: new DataLoader(usersById),
    pending: new DataLoader(pendingByOrder),
  }
}

const { ResolutionRequest, ...types } = fields
/** A resolver that changes something, and tells those who watch. */
const changing = (change) => async (_, { input }, { viewer }) => {
  const { answer, event } = await change(viewer, input)
  if (event) pubsub.publish(`order/${event.order_id}`, event)
  return answer
}

const resolvers = {
  ...types,
  ResolutionRequest: { __resolveType: ResolutionRequest.resolveType },
  Order: {
    ...types.Order,
    client: (row, _, { users }) => users.load(row.client_id),
    freelancer: (row, _, { users }) => users.load(row.freelancer_id),
  },
  ResolutionCenter: { pendingRequests: (row, _, { pending }) => pending.load(row.id) },
  OrderEvent: { ...types.OrderEvent, actor: (row, _, { users }) => row.actor_id && users.load(row.actor_id) },
  Query: {
    orders: async (_, { first = 25 }, { viewer }) => connection(await ordersOf(viewer, first), first),
    order: (_, { id }, { viewer }) => orderOf(viewer, uuidOf('Order', id)),
    viewer: (_, __, { viewer, users }) => users.load(viewer),
  },
  Mutation: {
    offerPartialRefund: changing(offerPartialRefund),
    withdrawRequest: changing(withdrawRequest),
  },
  Subscription: {
    orderEvents: {
      subscribe: async (_, { orderId }, { viewer }) => {
        const id = uuidOf('Order', orderId)
        if (!(await orderOf(viewer, id))) throw new Error('There is no such order that you may see.')
        return pubsub.subscribe(`order/${id}`)
      },
      resolve: (event) => event,
    },
  },
}

const yoga = createYoga({
  schema: createSchema({ typeDefs: readFileSync(new URL('schema.graphql', import.meta.url), 'utf8'), resolvers }),
  context: ({ request, authorization }) => contextOf(authorization ?? request.headers.get('authorization')),
  graphiql: false,
  landingPage: false,
  logging: 'error',
})
const server = createServer((request, response) => {
  if (request.url === '/health/live') {
    response.setHeader('content-type', 'application/json')
    response.end('{"status":"ok"}')
  } else yoga(request, response)
})
const sockets = new WebSocketServer({ server, path: yoga.graphqlEndpoint })
useServer(
  {
    execute: (given) => given.rootValue.execute(given),
    subscribe: (given) => given.rootValue.subscribe(given),
    onSubscribe: async (context, _, payload) => {
      const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({
        ...context,
        authorization: context.connectionParams?.authorization,
        params: payload,
      })
      const document = parse(payload.query)
      const given = {
        schema,
        document,
        operationName: payload.operationName,
        variableValues: payload.variables,
        contextValue: await contextFactory(),
        rootValue: { execute, subscribe },
      }
      const errors = validate(given.schema, given.document)
      return errors.length ? errors : given
    },
  },
  sockets,
)
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
