// SPDX-License-Identifier: Apache-2.0

import Metrics
import Testing

@Suite struct MetricFormatTests {
    @Test(arguments: [
        ("", MetricFormat.prometheus), ("*/*", .prometheus), ("text/plain", .prometheus),
        ("application/openmetrics-text", .openMetrics),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3", .openMetrics),
        ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.7", .openMetrics),
        ("application/openmetrics-text;version=0.0.1,text/plain;q=0.1", .prometheus),
        ("application/openmetrics-text;q=0", .prometheus), ("application/openmetrics-text;q=x", .prometheus),
        ("application/openmetrics-text;q=0.2,text/plain;q=0.5", .prometheus),
        ("TEXT/PLAIN , Application/OpenMetrics-Text", .openMetrics), (";;,,;q=", .prometheus),
    ])
    func `the reader's header decides`(accept: String, format: MetricFormat) {
        #expect(MetricFormat(accept: accept) == format)
    }
}
