// Made by `npm run codegen` from schema.graphql and src/operations.graphql. Not to be edited.

      export type PossibleTypesResultData = {
  "possibleTypes": {
    "Node": [
      "CancellationRequest",
      "DeliveryExtensionRequest",
      "Order",
      "OrderEvent",
      "OrderUpdateRequest",
      "PartialRefundOffer",
      "Refund",
      "SupportCase",
      "User"
    ],
    "ResolutionRequest": [
      "CancellationRequest",
      "DeliveryExtensionRequest",
      "OrderUpdateRequest",
      "PartialRefundOffer"
    ]
  }
};
      const result: PossibleTypesResultData = {
  "possibleTypes": {
    "Node": [
      "CancellationRequest",
      "DeliveryExtensionRequest",
      "Order",
      "OrderEvent",
      "OrderUpdateRequest",
      "PartialRefundOffer",
      "Refund",
      "SupportCase",
      "User"
    ],
    "ResolutionRequest": [
      "CancellationRequest",
      "DeliveryExtensionRequest",
      "OrderUpdateRequest",
      "PartialRefundOffer"
    ]
  }
};
      export default result;
