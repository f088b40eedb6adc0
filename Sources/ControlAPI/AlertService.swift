// SPDX-License-Identifier: Apache-2.0

package import AlertPipeline

/// What stands behind the routes of alerts and responses; `by` says who asks.
///
/// Every error it throws is an `APIError`.
package protocol AlertService: Sendable {
    func alerts(_ query: AlertQuery) async throws(APIError) -> AlertList
    func alert(_ id: Int) async throws(APIError) -> AlertRecord
    func incidents() async throws(APIError) -> [IncidentRecord]
    /// Lines of NDJSON: each an `AlertNoticeRecord`, from now on.
    func watchAlerts() async throws(APIError) -> AsyncStream<[UInt8]>
    func acknowledge(_ request: AlertChangeRequest, by: String) async throws(APIError) -> AlertList
    func closeAlerts(_ request: AlertChangeRequest, by: String) async throws(APIError) -> AlertList
    func mutes() async throws(APIError) -> [MuteRecord]
    func mute(_ request: MuteRequest, by: String) async throws(APIError) -> MuteRecord
    func unmute(_ id: Int) async throws(APIError) -> [MuteRecord]
    /// `isWhole`: also what is over.
    func responses(isWhole: Bool) async throws(APIError) -> ResponseReport
    func undoResponses(_ request: UndoRequest, by: String) async throws(APIError) -> ResponseReport
}
