/** Why a schedule was paused that so many failures in a row pause. */
export function failuresReason(failures: number): string {
  return failures === 1 ? "its last task failed" : `its last ${failures} tasks failed`;
}
