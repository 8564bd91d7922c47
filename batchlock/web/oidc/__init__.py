"""Sign-in with OpenID Connect: the provider of a company says who a person is.

browser ─▶ views.start   ─▶ client ─▶ provider: metadata       ─▶ the provider's page
browser ─▶ views.finish  ─▶ client ─▶ provider: code for token ─▶ id_token: signature, claims
─▶ claims: a name, and roles by groups
─▶ store.oidc_people: the person of issuer and subject ─▶ a session
"""
