/** The cases in which a signature, a policy or an image under a policy is refused. */
export type SignaturesErrorCode =
  /** A policy that is not what containers-policy.json(5) asks for. */
  | 'POLICY_INVALID'
  /** No policy stands where one was looked for, or it cannot be read. */
  | 'POLICY_UNREADABLE'
  /** The policy says `reject` for the image. */
  | 'POLICY_REJECTED'
  /** The policy asks for something that cannot be checked here, such as signatures by GPG. */
  | 'POLICY_UNSUPPORTED'
  /** A signature is asked for and the image has none. */
  | 'SIGNATURE_REQUIRED'
  /** The image has signatures, but none that the policy accepts. */
  | 'SIGNATURE_INVALID'
