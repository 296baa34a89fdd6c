// The dispatcher: the part of lmtp that is root. It accepts connections and hands each to the front at once, and
// gives the front a channel to a delivery worker of any uid that mail may be delivered as. It reads no byte that came
// from the network.
#pragma once

#include <memory>

#include "lib-service/service.h"

namespace culver {

class Dispatcher {
public:
    explicit Dispatcher(Service& service);
    ~Dispatcher();
    // Runs until the master says stop and the last delivery is through. Returns the exit status.
    int run();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace culver
