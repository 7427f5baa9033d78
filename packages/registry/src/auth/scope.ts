/** What one wants to do with a repository. */
export type RepositoryAction = 'pull' | 'push' | 'delete'

/** distribution's token scope: `repository:library/debian:pull`. */
export function repositoryScope(repository: string, ...actions: readonly RepositoryAction[]): string {
  return `repository:${repository}:${actions.join(',')}`
}

/** What a request needs to be allowed besides what it does: pushing asks what is there. */
export const ACTIONS: Readonly<Record<RepositoryAction, readonly RepositoryAction[]>> = {
  pull: ['pull'],
  push: ['pull', 'push'],
  delete: ['delete'],
}

/** `type:name:actions`, where the name may hold a host with a port. */
const SCOPE = /^[a-z]+(?:\([a-z]+\))?:[^\s"]+:(?:[a-z*]+(?:,[a-z*]+)*)?$/

/**
 * The scopes to ask a token for: those of the challenge, for it knows its own names best, or else our own.
 *
 * Public ECR asks for the scope `aws`, which is none; such ones are left out.
 */
export function scopesOf(challenged: string | undefined, own: string): string[] {
  const scopes = (challenged ?? '').split(' ').filter((scope) => SCOPE.test(scope))
  // After its first, our own has what the challenge of this one request need not mention: the source of a mount.
  const [first = own, ...more] = own.split(' ')
  const asked = scopes.length > 0 ? scopes.map((scope) => widen(scope, first)) : [first]
  return [...new Set([...asked, ...more])]
}

/** A HEAD within a push is challenged for pull alone; the token should do for what comes after it, too. */
function widen(scope: string, own: string): string {
  const [name, actions = ''] = splitScope(scope)
  const [ownName, ownActions = ''] = splitScope(own)
  if (name !== ownName) return scope
  return `${name}:${[...new Set([...ownActions.split(','), ...actions.split(',')])].filter(Boolean).join(',')}`
}

function splitScope(scope: string): [name: string, actions: string] {
  const colon = scope.lastIndexOf(':')
  return [scope.slice(0, colon), scope.slice(colon + 1)]
}
