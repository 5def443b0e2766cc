// A browser that follows redirects with its cookies until it is sent back to the client: gives the
// URL of that redirect, which nobody has to listen at.
export async function follow(url, back) {
  const cookies = new Map();
  for (let hops = 0; hops < 20; hops += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await fetch(url, { redirect: "manual", headers: { cookie } });
    for (const set of answer.headers.getSetCookie()) {
      const [name, ...value] = set.split(";")[0].split("=");
      cookies.set(name, value.join("="));
    }
    const location = answer.headers.get("location");
    if (!location) throw new Error(`${answer.status} at ${url}: ${await answer.text()}`);
    url = new URL(location, url);
    if (url.href.startsWith(back)) return url;
  }
  throw new Error("too many redirects");
}
