// Starts the app; in the hidden frame in which a sign-in is renewed it only hands on the provider's answer.
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import "./styles/app.css";
import { theme } from "./theme";

if (parent !== window && location.pathname === "/signed-in") {
  void import("./session/oidc").then(({ answerParent }) => answerParent());
} else {
  start();
}

function start() {
  theme.choose(theme.chosen);
  const root = document.getElementById("root");
  if (!root) return;
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
