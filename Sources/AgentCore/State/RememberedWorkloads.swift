// SPDX-License-Identifier: Apache-2.0

import ControlAPI

/// The workloads of the state file as they stand there: of many, only those that changed are written anew.
struct RememberedWorkloads {
    private var known: [String: (workload: Workload, json: [UInt8])] = [:]
    /// All of `known`, in order.
    private var keys: [String] = []

    /// What stands for these workloads, but for the host, in a state file, in the order of their keys.
    mutating func json(of workloads: [String: Workload]) throws(AgentError) -> [UInt8] {
        var areOthers = false
        for key in keys where workloads[key] == nil {
            known[key] = nil
            areOthers = true
        }
        for (key, workload) in workloads where known[key]?.workload != workload {
            guard !workload.isHost else { continue }
            do {
                areOthers =
                    try known.updateValue(
                        (workload, APICoding.encode(StateFile.RememberedWorkload(workload))), forKey: key) == nil
                    || areOthers
            } catch {
                throw AgentError("\(error)")
            }
        }
        if areOthers { keys = known.keys.sorted() }
        var list = [UInt8(ascii: "[")]
        list.reserveCapacity(keys.count * 512)
        for key in keys {
            if list.count > 1 { list.append(UInt8(ascii: ",")) }
            if let json = known[key]?.json { list += json }
        }
        list.append(UInt8(ascii: "]"))
        return list
    }
}

extension StateFile {
    /// The file's bytes before and behind its workloads.
    func encodedAround() throws(AgentError) -> (head: [UInt8], tail: [UInt8]) {
        var rest = self
        rest.workloads = []
        // Nowhere else: inside a text the quotation marks would be escaped.
        let place = Array(#""workloads":[]"#.utf8)
        do {
            let bytes = try APICoding.encode(rest)
            // From the end, where it is: keys are in order.
            var start = bytes.count - place.count
            while start >= 0, !bytes[start...].starts(with: place) { start -= 1 }
            guard start >= 0 else { throw AgentError("cannot write the state file: it has no place for workloads") }
            let end = start + place.count
            return (Array(bytes[..<(end - 2)]), Array(bytes[end...]))
        } catch {
            throw AgentError("\(error)")
        }
    }
}
