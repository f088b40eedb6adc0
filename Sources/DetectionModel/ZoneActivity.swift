// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// How one client asks for names below one zone (the last two labels of a name; three below a public suffix of two).
package struct ZoneActivity: Hashable, Sendable {
    package var client: IPAddress
    package var isClientInside: Bool
    /// Lower case, without the last dot.
    package var zone: String
    /// Nanoseconds: begin of the record's window (a minute long), and the time of this report.
    package var since: UInt64
    package var time: UInt64
    package var queries: UInt32
    /// Of them TXT, NULL, CNAME, MX or SRV: types that carry much.
    package var bulkyQueries: UInt32
    /// Answers that said there is no such name.
    package var notFound: UInt32
    /// Estimate of different names below the zone.
    package var distinctNames: UInt32
    /// Bytes of the names below the zone, all queries together; the longest label.
    package var nameBytes: UInt64
    package var longestLabel: UInt8
    /// Mean Shannon entropy of the part below the zone, in hundredths of a bit for each character.
    package var entropy: UInt16
    /// IP bytes of the answers.
    package var answerBytes: UInt64

    package init(client: IPAddress, isClientInside: Bool, zone: String, since: UInt64, time: UInt64) {
        self.client = client
        self.isClientInside = isClientInside
        self.zone = zone
        self.since = since
        self.time = time
        (self.queries, self.bulkyQueries, self.notFound, self.distinctNames) = (0, 0, 0, 0)
        (self.nameBytes, self.longestLabel, self.entropy, self.answerBytes) = (0, 0, 0, 0)
    }
}
