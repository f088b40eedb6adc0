// SPDX-License-Identifier: Apache-2.0
package import BPFRuntime
package import TableEncoding

/// Why the datapath could not do what it was asked.
///
/// What was in force stays in force.
package enum DatapathError: Error, Sendable {
    /// The kernel refused.
    case kernel(BPFError)
    /// The new state does not fit.
    case table(TableError)
    /// A pinned map is not what this version needs.
    case incompatibleMap(path: String, found: MapDefinition, needed: MapDefinition)
    /// Another process holds the pins.
    case inUse(directory: String)
    /// The directory for pins cannot be used.
    case directory(path: String, cause: String, remedy: String)
    /// `commit` before the first `replace`.
    case incomplete
}

extension DatapathError {
    /// A table of the kernel has no room left.
    package var isFull: Bool {
        if case .kernel(let error) = self { error.isFull } else { false }
    }
}

extension DatapathError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .kernel(let error): return error.description
        case .table(let error): return error.description
        case .incompatibleMap(let path, let found, let needed):
            return "cannot adopt the pinned map \(path): it has \(found), this version needs \(needed); "
                + "run `bulkhead detach` (workloads are unprotected until the agent runs again)"
        case .inUse(let directory):
            return "cannot use \(directory): another bulkhead agent holds it; stop that agent first"
        case .directory(let path, let cause, let remedy):
            return "cannot keep kernel objects under \(path): \(cause); \(remedy)"
        case .incomplete:
            return "cannot commit changes: no complete state was written since the start; write a complete state first"
        }
    }
}

/// Runs kernel calls and names their errors as the datapath's.
func kernel<Result: ~Copyable>(_ body: () throws(BPFError) -> Result) throws(DatapathError) -> Result {
    do throws(BPFError) {
        return try body()
    } catch {
        throw .kernel(error)
    }
}
