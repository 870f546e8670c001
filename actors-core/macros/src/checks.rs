//! Which types a message can have for its fields and its reply.

use quote::ToTokens;
use syn::{
    AngleBracketedGenericArguments, Error, GenericArgument, Lifetime, PathArguments, Result, Type,
    TypeReference,
};

/// Refuses what is borrowed or has no name, at any depth. `what` is at the head of the error.
pub(crate) fn owned(ty: &Type, what: &str) -> Result<()> {
    match ty {
        Type::Reference(reference) if !reference.lifetime.as_ref().is_some_and(is_static) => {
            let instead = instead_of(reference);
            let message = format!("{what} is `'static` and cannot borrow: take {instead}");
            Err(Error::new_spanned(ty, message))
        }
        Type::Reference(reference) => owned(&reference.elem, what),
        Type::ImplTrait(_) => {
            let message = format!(
                "{what} needs types that can be named: take a type parameter of the `impl` block, or a `Box<dyn …>`"
            );
            Err(Error::new_spanned(ty, message))
        }
        Type::Path(path) => path
            .path
            .segments
            .iter()
            .filter_map(|segment| match &segment.arguments {
                PathArguments::AngleBracketed(arguments) => Some(arguments),
                _ => None,
            })
            .try_for_each(|arguments| owned_arguments(arguments, what)),
        Type::Array(array) => owned(&array.elem, what),
        Type::Group(group) => owned(&group.elem, what),
        Type::Paren(paren) => owned(&paren.elem, what),
        Type::Slice(slice) => owned(&slice.elem, what),
        Type::Tuple(tuple) => tuple.elems.iter().try_for_each(|elem| owned(elem, what)),
        _ => Ok(()),
    }
}

fn owned_arguments(arguments: &AngleBracketedGenericArguments, what: &str) -> Result<()> {
    arguments.args.iter().try_for_each(|argument| match argument {
        GenericArgument::Lifetime(lifetime) if !is_static(lifetime) => Err(Error::new_spanned(
            lifetime,
            format!("{what} is `'static` and cannot borrow: take `'static`, or an owned type"),
        )),
        GenericArgument::Type(ty) => owned(ty, what),
        GenericArgument::AssocType(assoc) => owned(&assoc.ty, what),
        _ => Ok(()),
    })
}

fn instead_of(reference: &TypeReference) -> String {
    match &*reference.elem {
        Type::Slice(slice) => format!("`Vec<{}>`", slice.elem.to_token_stream()),
        Type::Path(path) if path.path.is_ident("str") => "`String`".into(),
        Type::Path(path) => format!("`{0}`, or `Arc<{0}>`", path.to_token_stream()),
        _ => "an owned type".into(),
    }
}

fn is_static(lifetime: &Lifetime) -> bool {
    lifetime.ident == "static"
}
