//! Which parameters of a block a message needs, and `Self` outside of it.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{GenericParam, Generics};

/// The parameters that `tokens` name and those that their bounds name, with these bounds.
pub(crate) fn used_in(generics: &Generics, tokens: &TokenStream) -> Generics {
    let clauses = || generics.where_clause.iter().flat_map(|clause| &clause.predicates);
    let inline = generics.params.iter().map(ToTokens::to_token_stream);
    let bounds: Vec<TokenStream> = inline.chain(clauses().map(ToTokens::to_token_stream)).collect();
    let mut names: Vec<&Ident> = names(generics).filter(|name| mentions(tokens, name)).collect();
    loop {
        let reached = self::names(generics).find(|name| {
            !names.contains(name)
                && bounds.iter().any(|bound| {
                    mentions(bound, name) && names.iter().any(|used| mentions(bound, used))
                })
        });
        match reached {
            Some(name) => names.push(name),
            None => break,
        }
    }
    let is_used = |tokens: TokenStream| names.iter().any(|name| mentions(&tokens, name));
    let mut used = generics.clone();
    used.params = generics.params.iter().filter(|p| names.contains(&name(p))).cloned().collect();
    if let Some(clause) = &mut used.where_clause {
        clause.predicates = clauses().filter(|p| is_used(p.to_token_stream())).cloned().collect();
    }
    used
}

/// The type parameters that `tokens` do not name.
pub(crate) fn types_missing_in(generics: &Generics, tokens: &TokenStream) -> Vec<Ident> {
    let types = generics.type_params().map(|parameter| &parameter.ident);
    types.filter(|name| !mentions(tokens, name)).cloned().collect()
}

/// The tokens with a type in the place of `Self`.
pub(crate) fn with_self(tokens: TokenStream, self_type: &TokenStream) -> TokenStream {
    let replace = |token| match token {
        TokenTree::Ident(ident) if ident == "Self" => self_type.clone(),
        TokenTree::Group(group) => {
            let mut inner = Group::new(group.delimiter(), with_self(group.stream(), self_type));
            inner.set_span(group.span());
            TokenTree::Group(inner).into()
        }
        token => token.into(),
    };
    tokens.into_iter().flat_map(replace).collect()
}

fn mentions(tokens: &TokenStream, name: &Ident) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == *name,
        TokenTree::Group(group) => mentions(&group.stream(), name),
        _ => false,
    })
}

fn names(generics: &Generics) -> impl Iterator<Item = &Ident> {
    generics.params.iter().map(name)
}

fn name(parameter: &GenericParam) -> &Ident {
    match parameter {
        GenericParam::Type(parameter) => &parameter.ident,
        GenericParam::Const(parameter) => &parameter.ident,
        GenericParam::Lifetime(parameter) => &parameter.lifetime.ident,
    }
}
