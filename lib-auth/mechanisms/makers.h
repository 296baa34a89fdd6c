// The makers of the mechanisms, for mechanisms/table.cpp.
#pragma once

#include "lib-auth/mechanism.h"

namespace culver::mechanisms {

std::unique_ptr<Mechanism> make_plain(const AuthRequest& request, const AuthSettings& settings);
std::unique_ptr<Mechanism> make_login(const AuthRequest& request, const AuthSettings& settings);
std::unique_ptr<Mechanism> make_cram_md5(const AuthRequest& request, const AuthSettings& settings);
std::unique_ptr<Mechanism> make_digest_md5(const AuthRequest& request, const AuthSettings& settings);
std::unique_ptr<Mechanism> make_scram_sha1(const AuthRequest& request, const AuthSettings& settings);
std::unique_ptr<Mechanism> make_scram_sha256(const AuthRequest& request, const AuthSettings& settings);
std::unique_ptr<Mechanism> make_scram_sha1_plus(const AuthRequest& request, const AuthSettings& settings);
std::unique_ptr<Mechanism> make_scram_sha256_plus(const AuthRequest& request, const AuthSettings& settings);
std::unique_ptr<Mechanism> make_external(const AuthRequest& request, const AuthSettings& settings);
std::unique_ptr<Mechanism> make_anonymous(const AuthRequest& request, const AuthSettings& settings);
std::unique_ptr<Mechanism> make_oauthbearer(const AuthRequest& request, const AuthSettings& settings);
std::unique_ptr<Mechanism> make_xoauth2(const AuthRequest& request, const AuthSettings& settings);

}  // namespace culver::mechanisms
