//! The derives.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{
    Attribute, Data, DeriveInput, Error, GenericParam, Generics, Result, Type, TypeParamBound,
    parse_quote,
};

use crate::checks;

pub(crate) fn actor(input: TokenStream) -> TokenStream {
    expand_actor(input).unwrap_or_else(Error::into_compile_error)
}

pub(crate) fn message(input: TokenStream) -> TokenStream {
    expand_message(input).unwrap_or_else(Error::into_compile_error)
}

fn expand_actor(input: TokenStream) -> Result<TokenStream> {
    let DeriveInput { ident, mut generics, .. } = syn::parse2(input)?;
    complete(&mut generics, "an actor")?;
    let (parameters, arguments, bounds) = generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #parameters ::actors_core::Actor for #ident #arguments #bounds {}
    })
}

fn expand_message(input: TokenStream) -> Result<TokenStream> {
    let DeriveInput { attrs, ident, mut generics, data, .. } = syn::parse2(input)?;
    complete(&mut generics, "a message")?;
    refuse_inside(&data)?;
    let reply = reply_of(&attrs)?;
    let (parameters, arguments, bounds) = generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #parameters ::actors_core::Message for #ident #arguments #bounds {
            type Reply = #reply;
        }
    })
}

/// Adds the bounds that both traits ask for.
fn complete(generics: &mut Generics, what: &str) -> Result<()> {
    for parameter in &mut generics.params {
        match parameter {
            GenericParam::Type(parameter) => {
                let bounds: [TypeParamBound; 2] =
                    [parse_quote!(::core::marker::Send), parse_quote!('static)];
                parameter.bounds.extend(bounds);
            }
            GenericParam::Lifetime(lifetime) => {
                let message = format!(
                    "{what} is `'static` and cannot borrow: own the data, or share it in an `Arc`"
                );
                return Err(Error::new_spanned(lifetime, message));
            }
            GenericParam::Const(_) => {}
        }
    }
    Ok(())
}

fn reply_of(attributes: &[Attribute]) -> Result<TokenStream> {
    let mut reply: Option<Type> = None;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("message")) {
        attribute.parse_nested_meta(|option| {
            if !option.path.is_ident("reply") {
                return Err(option.error("unknown option: there is `reply = Type`"));
            }
            let kind: Type = option.value()?.parse()?;
            checks::owned(&kind, "a reply")?;
            if reply.replace(kind).is_some() {
                return Err(option.error("a message has one reply"));
            }
            Ok(())
        })?;
    }
    Ok(reply.map_or_else(|| quote!(()), Type::into_token_stream))
}

/// `#[message]` on a variant or field would say nothing.
fn refuse_inside(data: &Data) -> Result<()> {
    let inside: Vec<&Attribute> = match data {
        Data::Struct(data) => data.fields.iter().flat_map(|field| &field.attrs).collect(),
        Data::Enum(data) => {
            let fields = data.variants.iter().flat_map(|variant| &variant.fields);
            let fields = fields.flat_map(|field| &field.attrs);
            data.variants.iter().flat_map(|variant| &variant.attrs).chain(fields).collect()
        }
        Data::Union(_) => Vec::new(),
    };
    match inside.into_iter().find(|attribute| attribute.path().is_ident("message")) {
        Some(attribute) => Err(Error::new_spanned(
            attribute,
            "`#[message(…)]` goes on the type: all values of a message have one type of reply",
        )),
        None => Ok(()),
    }
}
