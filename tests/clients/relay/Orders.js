// Relay's operations, as its compiler reads them; components would hold them.
const { graphql } = require("relay-runtime");

// #region fragments
graphql`
  fragment Orders_order on Order @refetchable(queryName: "OrdersRefetchQuery") {
    id
    reference
    status
  }
`;

graphql`
  fragment Orders_list on Query
  @refetchable(queryName: "OrdersPageQuery")
  @argumentDefinitions(first: { type: "Int", defaultValue: 2 }, after: { type: "String" }) {
    orders(first: $first, after: $after) @connection(key: "Orders_orders") {
      edges {
        node {
          reference
          ...Orders_order
        }
      }
    }
  }
`;
// #endregion

graphql`
  query OrdersQuery {
    ...Orders_list
  }
`;

graphql`
  query OrdersOneQuery($id: ID!) {
    order(id: $id) {
      id
      reference
      status
    }
  }
`;

graphql`
  mutation OrdersSubmitMutation($input: SubmitRequirementsInput!) {
    submitRequirements(input: $input) {
      order {
        id
        status
      }
      userErrors {
        code
        message
        path
      }
    }
  }
`;

graphql`
  subscription OrdersWatchSubscription($after: String) {
    viewerEvents(after: $after) {
      id
      cursor
      kind
      order {
        id
        reference
      }
    }
  }
`;
