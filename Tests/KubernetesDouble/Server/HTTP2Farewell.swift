// SPDX-License-Identifier: Apache-2.0

import NIOHTTP2

/// GOAWAY as a server sends it that wants its clients elsewhere: what runs may end, nothing new is taken.
enum HTTP2Farewell {
    static var frame: HTTP2Frame {
        HTTP2Frame(
            streamID: .rootStream, payload: .goAway(lastStreamID: .maxID, errorCode: .noError, opaqueData: nil))
    }
}
