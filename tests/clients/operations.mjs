// The operations of the examples, as text.

export const ORDER = `
  query Order($id: ID!) {
    order(id: $id) { id reference status }
  }
`;

export const SUBMIT = `
  mutation Submit($input: SubmitRequirementsInput!) {
    submitRequirements(input: $input) {
      order { id status }
      userErrors { code message path }
    }
  }
`;

export const WATCH = `
  subscription Watch($after: String) {
    viewerEvents(after: $after) { id cursor kind order { id reference } }
  }
`;
