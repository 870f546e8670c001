//! What a method is turned into.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{ItemImpl, Visibility};

use crate::{
    generics::{types_missing_in, used_in, with_self},
    method::{Argument, Field, MessageMethod},
};

pub(crate) fn message_and_handler(block: &ItemImpl, method: &MessageMethod) -> TokenStream {
    let MessageMethod { cfgs, name, .. } = method;
    let actor = &block.self_ty;
    // Errors are shown at the method; names in here are not those of the user.
    let span = Span::mixed_site().located_at(method.method.span());
    let message = Message::new(block, method);
    let declaration = message.declaration(span);
    let constructor = message.constructor(span);
    let reply = &message.reply;
    let (parameters, arguments, bounds) = message.generics.split_for_impl();
    let handle = handle(span, method, &quote!(#name #arguments));
    let (actor_parameters, _, actor_bounds) = block.generics.split_for_impl();
    quote_spanned! {span=>
        #declaration
        #constructor

        #(#cfgs)*
        #[automatically_derived]
        impl #parameters ::actors_core::Message for #name #arguments #bounds {
            type Reply = #reply;
        }

        #(#cfgs)*
        #[automatically_derived]
        impl #actor_parameters ::actors_core::Handler<#name #arguments> for #actor #actor_bounds {
            #handle
        }
    }
}

/// The message as an item beside the block.
struct Message<'m> {
    method: &'m MessageMethod,
    fields: Vec<(&'m Field, TokenStream)>,
    reply: TokenStream,
    /// Those of the block that fields and reply need.
    generics: syn::Generics,
    /// Its type parameters that no field has.
    phantoms: Vec<Ident>,
}

impl<'m> Message<'m> {
    fn new(block: &ItemImpl, method: &'m MessageMethod) -> Self {
        let actor = block.self_ty.to_token_stream();
        let reply = with_self(method.reply.clone(), &actor);
        let fields: Vec<_> = method
            .fields()
            .map(|field| (field, with_self(field.ty.to_token_stream(), &actor)))
            .collect();
        let types: TokenStream = fields.iter().flat_map(|(_, ty)| quote!(#ty,)).collect();
        let generics = used_in(&block.generics, &quote!(#types #reply));
        let phantoms = types_missing_in(&generics, &types);
        Self { method, fields, reply, generics, phantoms }
    }

    fn declaration(&self, span: Span) -> TokenStream {
        let MessageMethod { docs, cfgs, derives, visibility, name, .. } = self.method;
        let Self { generics, phantoms, .. } = self;
        let bounds = &generics.where_clause;
        let derive = (!derives.is_empty()).then(|| quote!(#[derive(#(#derives),*)]));
        let body = if self.fields.is_empty() && phantoms.is_empty() {
            quote!(#bounds;)
        } else {
            let fields = self.fields.iter().map(|(field, ty)| declare(field, ty, visibility));
            let phantom = (!phantoms.is_empty()).then(|| {
                quote_spanned!(span=> phantom: ::core::marker::PhantomData<fn() -> (#(#phantoms,)*)>)
            });
            quote!(#bounds { #(#fields,)* #phantom })
        };
        quote_spanned! {span=>
            #(#docs)*
            #(#cfgs)*
            #derive
            #visibility struct #name #generics #body
        }
    }

    /// For a message with parameters that no field has.
    fn constructor(&self, span: Span) -> Option<TokenStream> {
        if self.phantoms.is_empty() {
            return None;
        }
        let MessageMethod { cfgs, visibility, name, .. } = self.method;
        let (parameters, arguments, bounds) = self.generics.split_for_impl();
        let names: Vec<_> = self.fields.iter().map(|(field, _)| &field.name).collect();
        let types = self.fields.iter().map(|(_, ty)| ty);
        Some(quote_spanned! {span=>
            #(#cfgs)*
            #[automatically_derived]
            impl #parameters #name #arguments #bounds {
                /// The message with these fields.
                #[allow(clippy::new_without_default)]
                #visibility const fn new(#(#names: #types),*) -> Self {
                    Self { #(#names,)* phantom: ::core::marker::PhantomData }
                }
            }
        })
    }
}

fn declare(field: &Field, ty: &TokenStream, visibility: &Visibility) -> TokenStream {
    let Field { attributes, name, .. } = field;
    let documented = attributes.iter().any(|attribute| attribute.path().is_ident("doc"));
    let lint = (!documented).then(|| quote!(#[allow(missing_docs)]));
    quote!(#(#attributes)* #lint #visibility #name: #ty)
}

fn handle(span: Span, method: &MessageMethod, message_type: &TokenStream) -> TokenStream {
    let called = &method.method;
    let uses_context = method.arguments.iter().any(|a| matches!(a, Argument::Context));
    let context = if uses_context { quote_spanned!(span=> cx) } else { quote_spanned!(span=> _) };
    let uses_message = method.fields().next().is_some();
    let message =
        if uses_message { quote_spanned!(span=> message) } else { quote_spanned!(span=> _) };
    let arguments = method.arguments.iter().map(|argument| match argument {
        Argument::Context => context.clone(),
        Argument::Reply => quote_spanned!(span=> reply),
        Argument::Field(Field { name, .. }) => quote_spanned!(span=> message.#name),
    });
    let call = quote_spanned!(span=> Self::#called(self, #(#arguments),*));
    let wait = method.is_async.then(|| quote_spanned!(span=> .await));
    if method.is_deferred {
        return quote_spanned! {span=>
            const DEFERRED: bool = true;

            async fn handle(
                &mut self,
                _: #message_type,
                _: &mut ::actors_core::Context<Self>,
            ) -> <#message_type as ::actors_core::Message>::Reply {
                ::core::unreachable!("a message with a deferred reply goes to `handle_call`")
            }

            async fn handle_call(
                &mut self,
                #message: #message_type,
                reply: ::actors_core::ReplyTo<<#message_type as ::actors_core::Message>::Reply>,
                #context: &mut ::actors_core::Context<Self>,
            ) {
                #call #wait
            }
        };
    }
    quote_spanned! {span=>
        async fn handle(
            &mut self,
            #message: #message_type,
            #context: &mut ::actors_core::Context<Self>,
        ) -> <#message_type as ::actors_core::Message>::Reply {
            #call #wait
        }
    }
}
