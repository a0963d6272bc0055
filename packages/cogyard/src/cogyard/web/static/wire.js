// Talking to the API as the signed-in person: same origin, session cookie, problems in words.

export class Refused extends Error {
  constructor(status, body) {
    super(problemOf(body, status));
    this.status = status;
    this.fields = Array.isArray(body?.invalid_fields) ? body.invalid_fields : [];
  }
}

/** Say in words what an answer that refuses says. */
export function problemOf(body, status) {
  if (status === 401) return "You are signed out. Sign in again in another tab, then retry.";
  if (typeof body?.detail === "string" && body.detail !== "") return body.detail;
  if (status === 413) return "This is too large.";
  if (status === 429) return "The platform is busy. Try again in a moment.";
  return `The platform answered with ${status}.`;
}

/** POST JSON and return the JSON of the answer. Throws Refused, or TypeError when nobody answers. */
export async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify(body ?? {}),
  });
  const value = await answer.json().catch(() => null);
  if (!answer.ok) throw new Refused(answer.status, value);
  return value;
}
