// SPDX-License-Identifier: Apache-2.0

import CDatapathABI
import EventModel

/// Decodes arbitrary bytes and returns whether they were accepted; traps if an accepted event breaks its contract.
///
/// Entry point of the fuzz executable: any input must either be refused or give an event whose fields are in range.
package func fuzzEventDecoder(_ bytes: RawSpan) -> Bool {
    guard let event = FlowEvent(decoding: bytes) else { return false }
    precondition(bytes.byteCount >= MemoryLayout<flow_event>.size, "accepted a short record")
    precondition(event.reason.rawValue < UInt8(DROP_REASON_COUNT), "accepted an unknown drop reason")
    precondition(!event.reason.name.isEmpty, "a reason without a name")
    precondition(event.peerAddress != event.endpointAddress || event.source == event.destination, "sides mixed up")
    return true
}
