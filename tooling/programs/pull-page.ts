import { pull } from './pull.ts'

// Pulls what the page's address names, and sends what it found back to where the page is from.
const parameters = new URLSearchParams(location.search)
const found = await pull(parameters.get('name') ?? '').catch((error: { code?: string }) => ({
  error: error.code ?? String(error),
}))
await fetch('/found', { method: 'POST', body: JSON.stringify(found) })
