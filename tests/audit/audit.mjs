// Runs npm graphql-http's audit of a server at the URL that is given, and prints what each check found.
import { serverAudits } from "graphql-http";

const audits = serverAudits({ url: process.argv[2] });
const found = await Promise.all(audits.map(({ fn }) => fn()));
console.log(JSON.stringify(found.map(({ id, name, status, reason }) => ({ id, name, status, reason: reason ?? null }))));
