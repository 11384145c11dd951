// Every portfolio with its return: node build/performance.js http://127.0.0.1:8000 USERNAME PASSWORD
import process from "node:process";
import { signIn } from "./client.js";

const [url = "", username = "", password = ""] = process.argv.slice(2);
const api = await signIn(url, username, password);
const { data: portfolios = [] } = await api.GET("/api/v1/portfolios");
for (const { id, name, currency } of portfolios) {
  const { data, error } = await api.GET("/api/v1/portfolios/{id}/performance", { params: { path: { id } } });
  if (error) throw new Error(error.errors[0]?.detail);
  const rate = data.twr === null ? (data.reasons["twr"] ?? "") : `${(100 * data.twr).toFixed(2)} %`;
  console.log(`${name}: ${data.end_value} ${currency}, ${rate}`);
}
