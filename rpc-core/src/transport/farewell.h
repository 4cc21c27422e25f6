// Farewell: closes a socket so that the peer gets to read the last words.
#pragma once

namespace weir {

class Reactor;

// Takes a non-blocking socket whose last words have been sent. Closing it with unread input would
// make it a reset, and the peer might lose them, so input is read and dropped until the peer closes
// as well, for a second at most.
void SayFarewell(Reactor& reactor, int descriptor);

}  // namespace weir
