// SPDX-License-Identifier: Apache-2.0

/// Why a capture cannot be read any further.
package struct CaptureError: Error, Equatable, Sendable {
    /// The packet that cannot be read, counted from 1; 0 for the file's header.
    package var packet: Int
    /// Bytes before the record or block that is wrong.
    package var offset: Int
    package var reason: String

    package init(packet: Int, offset: Int, reason: String) {
        self.packet = packet
        self.offset = offset
        self.reason = reason
    }
}

extension CaptureError: CustomStringConvertible {
    package var description: String {
        packet == 0 ? "byte \(offset): \(reason)" : "packet \(packet) (byte \(offset)): \(reason)"
    }
}
