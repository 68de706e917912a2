/** The errors that the server answers with, in OpenAI's form. In: what is wrong. Out: a status, headers and a body. */

/** A request that cannot be served; thrown anywhere while it is handled. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  /**
   * @param status HTTP status
   * @param message for the person who reads it
   * @param details `param` names the field, `code` is for programs, `headers` go along
   */
  constructor(
    readonly status: number,
    message: string,
    readonly details: { param?: string; code?: string; headers?: Record<string, string> } = {},
  ) {
    super(message);
  }

  /** The body of the answer. */
  body(): object {
    const { param = null, code = null } = this.details;
    const type =
      this.status === 429 ? "rate_limit_error" : this.status >= 500 ? "server_error" : "invalid_request_error";
    return { error: { message: this.message, type, param, code } };
  }
}

/** A field with a value that it cannot have: status 400. */
export function invalid(param: string, message: string, code?: string): ApiError {
  return new ApiError(400, message, { param, ...(code !== undefined && { code }) });
}
