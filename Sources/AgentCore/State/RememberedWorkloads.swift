// SPDX-License-Identifier: Apache-2.0

import ControlAPI

/// The workloads of the state file as they stand there: of many, only those that changed are written anew.
struct RememberedWorkloads {
    private var known: [String: (workload: Workload, json: [UInt8])] = [:]

    /// What stands for these workloads in a state file, in the order of their keys.
    mutating func json(of workloads: [Workload]) throws(AgentError) -> [UInt8] {
        var next: [String: (workload: Workload, json: [UInt8])] = [:]
        var list = [UInt8(ascii: "[")]
        for workload in workloads.sorted(by: { $0.key < $1.key }) {
            var json = known[workload.key].flatMap { $0.workload == workload ? $0.json : nil } ?? []
            if json.isEmpty {
                do {
                    json = try APICoding.encode(StateFile.RememberedWorkload(workload))
                } catch {
                    throw AgentError("\(error)")
                }
            }
            next[workload.key] = (workload, json)
            if list.count > 1 { list.append(UInt8(ascii: ",")) }
            list += json
        }
        known = next
        return list + [UInt8(ascii: "]")]
    }
}

extension StateFile {
    /// The file's bytes with these workloads in the place of its own.
    func encoded(workloads json: [UInt8]) throws(AgentError) -> [UInt8] {
        var rest = self
        rest.workloads = []
        // Nowhere else: inside a text the quotation marks would be escaped.
        let place = Array(#""workloads":[]"#.utf8)
        do {
            let bytes = try APICoding.encode(rest)
            guard let range = bytes.firstRange(of: place) else {
                throw AgentError("cannot write the state file: it has no place for workloads")
            }
            return Array(bytes[..<(range.upperBound - 2)]) + json + bytes[range.upperBound...]
        } catch {
            throw AgentError("\(error)")
        }
    }
}
