// JwtKeys: the keys of local_validation_key_dict = fs:posix:prefix=..., one file each: <prefix><azp>/<ALG>/<kid>.
//
// A key that was read is kept until its file changes or goes: keys can be rotated under the same name. Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "lib-auth/oauth2/jwt-signature.h"
#include "lib-auth/oauth2/jwt.h"
#include "lib-base/file.h"

namespace culver {

class JwtKeys {
public:
    explicit JwtKeys(std::string prefix) : prefix_(std::move(prefix)) {}

    // The key that the token names. NotFound: there is none by these names. InvalidArgument: the file holds no key for
    // this algorithm. Anything else: the file cannot be read.
    Result<std::shared_ptr<const JwtKey>> find(const Jwt& token);

private:
    struct Entry {
        FileStamp stamp;
        std::shared_ptr<const JwtKey> key;
    };
    const std::string prefix_;
    std::mutex mutex_;  // guards keys_
    std::map<std::string, Entry> keys_;
};

}  // namespace culver
