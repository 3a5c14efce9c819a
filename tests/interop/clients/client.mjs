// The published JavaScript client, unmodified: calls, an error, an event. Arguments: package folder, URL, context, member.
const [folder, url, contextId, executorPublicKey] = process.argv.slice(2);
const { JsonRpcClient } = await import(`${folder}/lib/rpc/jsonrpc.js`);
const { WsSubscriptionsClient } = await import(`${folder}/lib/subscriptions/ws.js`);

const rpc = new JsonRpcClient(url, '/jsonrpc', 20000);
const call = (method, argsJson) => rpc.execute({ contextId, method, argsJson, executorPublicKey });
const ws = new WsSubscriptionsClient(url, '/ws');
await ws.connect();
const confirmed = new Promise((resolve) => {
  ws.connections.get('DEFAULT').addEventListener('message', resolve, { once: true });
});
const event = new Promise((resolve) => ws.addCallback(resolve));
ws.subscribe([contextId]);
await confirmed;
const set = await call('set', { key: 'js', value: 'v' });
const get = await call('get', { key: 'js' });
const unknown = await call('nope', {});
console.log(JSON.stringify({ set, get, unknown, event: await event }));
process.exit(0);
