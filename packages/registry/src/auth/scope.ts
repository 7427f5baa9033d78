/** What one wants to do with a repository. */
export type RepositoryAction = 'pull' | 'push' | 'delete'

/** distribution's token scope: `repository:library/debian:pull`. */
export function repositoryScope(repository: string, ...actions: readonly RepositoryAction[]): string {
  return `repository:${repository}:${actions.join(',')}`
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
  return scopes.length > 0 ? [...new Set(scopes)] : [own]
}
